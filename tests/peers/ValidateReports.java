import com.pixelmed.validate.DicomSRValidator;

/** PixelMed's DicomSRValidator over many files in one JVM: its own main takes one, and compiles its rules each time. */
public class ValidateReports {
    public static void main(String[] files) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        for (String file : files) {
            System.out.println("FILE " + file);
            System.out.println(validator.validate(file));
        }
    }
}
